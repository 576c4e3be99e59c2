-- A hold on a household's or a merged owner's account keeps who was named when it was made: what ends it is recorded on
-- their behalf, as the hold is.
ALTER TABLE hold ADD COLUMN on_behalf_of uuid;

-- Those that are still to end. What has ended was recorded without a name, and stays as it was told.
UPDATE hold h SET on_behalf_of = t.on_behalf_of
FROM transaction t
WHERE t.program = h.program AND t.transaction_id = h.hold_id AND t.on_behalf_of IS NOT NULL AND h.status = 'open';
