-- Lists that are read in an order, and a case that is looked for by its number, cost the same however many cases there are.
CREATE INDEX cases_newest ON views.cases (opened_at DESC, case_id);
CREATE INDEX cases_number ON views.cases (case_number);
CREATE INDEX cases_books ON views.cases (case_id) WHERE family = 'book';
CREATE INDEX windows_latest ON views.windows (due_at DESC NULLS LAST, case_id, commitment);
