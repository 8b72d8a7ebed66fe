"""Orgvue's API over HTTP; knows neither Singer nor the tap's settings."""
