-- The caller's last turn in a call of less than half a minute that the caller ended.
SELECT call_id, max(turn) AS turn
FROM turns JOIN calls USING (call_id)
WHERE speaker = 'caller' AND duration_s < 30 AND calls.outcome = 'hung_up'
GROUP BY call_id
