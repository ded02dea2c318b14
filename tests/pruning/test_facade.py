from kt_extras import pruners, pruning


def test_the_short_name_holds_every_rule():
    assert set(pruners.__all__) == set(pruning.__all__)
    assert all(getattr(pruners, name) is getattr(pruning, name) for name in pruners.__all__)
