"""A package, so that its browser ends with it: pytest takes the scope of a directory without this
file for the whole session, and Playwright's loop stops every test that has one of its own."""
