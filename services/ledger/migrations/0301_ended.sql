-- What has passed its end, of all programs, the longest ago first: what the job that writes it off looks for. Both indexes
-- hold only what is open, so they stay as small as what is outstanding; a lot or hold that is written off leaves them.
CREATE INDEX lot_ended ON lot (expire_time) WHERE open AND expire_time IS NOT NULL;
CREATE INDEX hold_ended ON hold (expire_time) WHERE status = 'open';
