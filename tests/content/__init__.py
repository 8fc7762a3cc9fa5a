"""Tests of the content floor: texts, events and plans."""
