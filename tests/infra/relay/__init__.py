"""Tests of the relay, against simulated chats that check each message."""
