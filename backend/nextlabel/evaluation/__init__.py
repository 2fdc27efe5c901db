"""Is it any good? Honest figures about models, and the decision whether a new one serves."""
