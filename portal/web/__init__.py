"""The pages: a package for each page family."""
