-- A checksum of each row (see checksums.py): SQLite notices damage to its pages, and not to what lies in them. Events as they came
-- are many, and forgotten after a while: those that are there already stay without.
ALTER TABLE change ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scope ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE label ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE content ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE observation ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE head ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN state_crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pair ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE raw ADD COLUMN crc INTEGER;
ALTER TABLE journal ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE setting ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE asset ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE listing ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE document ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;

UPDATE change SET crc = crc_change(change);
UPDATE scope SET crc = crc_scope(scope);
UPDATE label SET crc = crc_label(label);
UPDATE content SET crc = crc_content(content);
UPDATE observation SET crc = crc_observation(observation);
UPDATE head SET crc = crc_head(head);
UPDATE run SET crc = crc_run(run), state_crc = crc_of(state);
UPDATE pair SET crc = crc_pair(pair);
UPDATE journal SET crc = crc_journal(journal);
UPDATE setting SET crc = crc_setting(setting);
UPDATE asset SET crc = crc_asset(asset);
UPDATE listing SET crc = crc_listing(listing);
UPDATE document SET crc = crc_document(document);
