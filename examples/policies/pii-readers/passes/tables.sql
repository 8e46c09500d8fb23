CREATE TABLE crm.people (id BIGINT, email VARCHAR, country VARCHAR);
CREATE TABLE marketing.audience AS SELECT id, sha256(to_utf8(email)) AS contact, country FROM crm.people;
