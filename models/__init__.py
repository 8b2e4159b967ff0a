"""What the caller's turns sound like and say; imports no other folder of this package.

From `audio` and `text` to `voice`, `fusion` and `reader`: one turn in, a `TurnReading` out. `lab`
trains, labels and measures offline.
"""
