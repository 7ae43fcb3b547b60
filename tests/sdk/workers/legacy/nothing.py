async def on_scheduled(controller):
    pass
