"""Tests of the relay, against chats on this machine that check what they are sent."""
