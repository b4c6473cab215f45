"""Formats of devices that publish over MQTT by themselves: payloads in, events out, without IO.

Read me first: `events` has the words for all of them, `json_stream` cuts a payload into its JSON
values, one file a maker says what those mean, `sparkplug_payload` and `sparkplug` do it for
Sparkplug B, and `reading` makes reads, signals and changes of what was said.
"""
