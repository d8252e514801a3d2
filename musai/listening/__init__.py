"""The listening test: a page on which people choose between two clips, blind, and what their answers say."""
