-- The second and each later caller turn in a row that the bot did not understand or hear.
WITH answers AS (
    SELECT call_id, turn, list_has_any(events, ['no_match', 'no_input']) AS missed
    FROM turns
    WHERE speaker = 'caller'
)
SELECT call_id, turn
FROM answers
QUALIFY missed AND lag(missed) OVER (PARTITION BY call_id ORDER BY turn)
