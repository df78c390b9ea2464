"""How rules become public: a draft, a second person or two authorities, a date; guards that keep promises kept."""
