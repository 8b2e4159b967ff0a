-- The second and each later request for a human in a call.
SELECT call_id, turn
FROM turns
WHERE speaker = 'caller' AND list_contains(events, 'agent_request')
QUALIFY row_number() OVER (PARTITION BY call_id ORDER BY turn) >= 2
