"""LLRP 1.0.1 and 1.1 without IO.

Read me first: `layout` has the words for tables, `parameters` and `messages` are the tables,
`codec` turns bodies into values and back by them, `wire` cuts a byte stream into messages,
`reports` decodes tag reports fast. `vendors` knows what makers add, `capabilities` what a reader
can do, `profiles` the habits of makers and what reading is for, `filters` which tags are wanted;
`rospec` says with all that what we ask of a reader. `notifications` is what a reader tells of
itself, and `session` leads one connection from greeting to reading by the table in `states`.
"""
