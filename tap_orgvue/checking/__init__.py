"""`tap-orgvue --test`: can Orgvue be reached, what would a run do, which facts of the API hold."""
