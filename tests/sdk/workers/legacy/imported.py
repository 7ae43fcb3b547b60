from js import fetch


async def scheduled(_controller):
    assert callable(fetch)
