-- Whether it was ever written by what a member may be found to be there twice. Those who were enrolled before that was done are
-- written by a job, once.
ALTER TABLE member ADD COLUMN traits_noted boolean NOT NULL DEFAULT false;

-- The job's question, across programs: who is left? Nobody, once it has run.
CREATE INDEX member_traits_not_noted ON member (program, member_id) WHERE NOT traits_noted;
