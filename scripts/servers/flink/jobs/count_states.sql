CREATE TABLE states (order_id BIGINT, status STRING) WITH ('connector' = 'filesystem', 'path' = '${folder}/order_states', 'format' = 'csv')

CREATE TABLE files (status STRING) WITH ('connector' = 'filesystem', 'path' = '${folder}/known_states', 'format' = 'csv')

INSERT INTO files SELECT status FROM states
