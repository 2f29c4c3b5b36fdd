"""Plugs a CPU and, where a guest runs, unplugs it, with the published client's library (PyPI package qemu.qmp).

Usage: plug_unplug.py SOCKET [guest]. Ends with status 0 if everything answered as a client of QEMU expects.
"""

import asyncio
import sys

from qemu.qmp import EventListener, ExecuteError, QMPClient

SLOT = {"driver": "qemu64-x86_64-cpu", "id": "cpu1", "socket-id": 0, "core-id": 1, "thread-id": 0}


async def main(socket: str, has_guest: bool) -> None:
    client = QMPClient("test")
    await client.connect(socket)
    version = await client.execute("query-version")
    assert version["qemu"]["major"] == 11, version
    assert (await client.execute("query-status"))["status"] == "running"

    await client.execute("device_add", SLOT)
    cpus = await client.execute("query-cpus-fast")
    assert [cpu["qom-path"] for cpu in cpus][1] == "/machine/peripheral/cpu1", cpus
    try:
        await client.execute("device_add", SLOT)
    except ExecuteError as error:
        assert error.error_class == "GenericError", error
    else:
        raise AssertionError("a taken slot was taken again")

    if has_guest:
        with client.listener("DEVICE_DELETED") as listener:
            await client.execute("device_del", {"id": "cpu1"})
            async for event in listener:
                assert event["data"]["device"] == "cpu1", event
                break
        assert len(await client.execute("query-cpus-fast")) == 1

    listener = EventListener("SHUTDOWN")
    client.register_listener(listener)
    await client.execute("quit")
    await listener.get()
    try:
        await client.disconnect()
    except EOFError:
        pass  # The program was faster: it had closed the connection.


asyncio.run(asyncio.wait_for(main(sys.argv[1], "guest" in sys.argv[2:]), timeout=60))
