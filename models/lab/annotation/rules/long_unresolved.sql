-- The caller's turns in the second half of a call of five minutes or more that solved nothing.
SELECT call_id, turn
FROM turns JOIN calls USING (call_id)
WHERE speaker = 'caller' AND duration_s >= 300 AND start_s >= duration_s / 2
    AND calls.outcome IN ('unresolved', 'transferred', 'hung_up')
