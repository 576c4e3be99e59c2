-- Members is asked anew before an invitation is sent: the contact that it reserves then replaces the one of the decision.
GRANT UPDATE ON invitation_contact TO fealty_surveys;
