CREATE TABLE crm.people (id BIGINT, email VARCHAR, country VARCHAR);
CREATE TABLE marketing.audience AS SELECT id, lower(email) AS contact, country FROM crm.people;
