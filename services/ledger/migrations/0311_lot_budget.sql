-- Which budget paid for a lot; NULL for the program itself. Lots of different budgets never become one.
ALTER TABLE lot ADD COLUMN budget_code text;
