CREATE TABLE crm.people (id BIGINT, email VARCHAR);
CREATE TABLE staging.people AS SELECT id, lower(email) AS contact FROM crm.people;
