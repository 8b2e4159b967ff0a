-- The third and each later answer in a row to the same dialog state.
WITH answers AS (
    SELECT call_id, turn, dialog_state,
        row_number() OVER (PARTITION BY call_id ORDER BY turn)
            - row_number() OVER (PARTITION BY call_id, dialog_state ORDER BY turn) AS run
    FROM turns
    WHERE speaker = 'caller' AND dialog_state IS NOT NULL
)
SELECT call_id, turn
FROM answers
QUALIFY row_number() OVER (PARTITION BY call_id, dialog_state, run ORDER BY turn) >= 3
