"""Every word that crosses a wire: structs, enums, topics, ids and the codec.

This package is pure and imports nothing of ours. Times are integers: UTC microseconds of
*domain time*, which a stack may accelerate (see `contracts.clock`); names of such fields end in
`_us`. Signal strengths are in 1/100 dBm; names end in `_cdbm`.
"""
