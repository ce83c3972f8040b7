"""Runs a race: sessions, the scheduler, pools of workers, Ray; nothing here decides a number."""
