-- The number of a card that somebody has or had is personal: only its keyed hash and its ciphertext are stored. A card that was
-- taken away from somebody can be given again, and its number is still nobody's to read. Which of the blocked ones somebody
-- had is not known any more.
ALTER TABLE card DROP CONSTRAINT card_issued;
UPDATE card SET card_number = NULL
WHERE card_number IS NOT NULL AND (status <> 'ISSUED' OR status_time <> create_time);
ALTER TABLE card
    ADD CONSTRAINT card_issued CHECK (status <> 'ISSUED' OR card_batch_id IS NOT NULL);

-- A place in a batch of numbers one after the other is as good as the number, where a neighbour's can be read. A batch is
-- listed in the order of its keyed hashes, which says nothing of the numbers and stays whatever becomes of a card.
ALTER TABLE card
    DROP CONSTRAINT card_place,
    DROP CONSTRAINT card_of_batch,
    DROP COLUMN place;
CREATE INDEX card_of_batch ON card (program, card_batch_id, value_hash) WHERE card_batch_id IS NOT NULL;
