import workers


def color_from_helper():
    return workers.env.COLOR
