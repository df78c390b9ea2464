"""The connection case (用水报装): one application, all else inside the utility, water on in 5 working days."""
