"""What is measured: eth_call rows, blocks executed, blocks end to end, transfers at a constant rate. Each returns plain
numbers; nothing is printed here."""
import statistics
import threading
import time

from nodes import Client, Failed, cpu_s

# Contract, function, arguments: so many rounds that a call needs 30 to 45 million gas (eth_call's cap is 50 million on
# our nodes), or, where work is cheap in gas, some 100 ms.
CALLS = [
    ("arithmetic", ["Loops", "arithmetic", 150_000]),
    ("keccak, 64 bytes", ["Loops", "hashing", 300_000]),
    ("keccak, 4 KiB", ["Loops", "hashingLong", 10_000]),
    ("memory", ["Loops", "memoryWork", 200_000]),
    ("storage, writes and reads of 256 slots", ["Loops", "storageWork", 100_000]),
    ("storage, cold reads", ["Loops", "storageReads", 19_000]),
    ("calls", ["Loops", "calls", 50_000]),
    ("ERC-20 transfers", ["TokenTransfers", "run", 7_000, 100]),
    ("swap_math", ["SwapMath", "run", 8_000]),
]
CALL_GAS = 49_000_000
SETTLE_S = 0.003  # a server may still free memory when its answer has been read


def create(node, creations):
    """Sends the signed creations one by one and waits for their receipts."""
    client = Client(node.urls[0])
    for raw in creations:
        wait_receipt(client, client.call("eth_sendRawTransaction", raw))


def wait_receipt(client, transaction, timeout=60):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        receipt = client.call("eth_getTransactionReceipt", transaction)
        if receipt is not None:
            if receipt["status"] != "0x1":
                raise Failed(f"transaction {transaction} failed")
            return
        time.sleep(0.05)
    raise Failed(f"no receipt of {transaction} in {timeout} s")


def idle_rates(nodes, seconds):
    """CPU seconds per second of each node that is asked nothing."""
    before = [cpu_s(node.pids[0]) for node in nodes]
    start = time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - start
    return [(cpu_s(node.pids[0]) - cpu) / wall for node, cpu in zip(nodes, before)]


def call_rows(ours, theirs, calls, count, idle_seconds):
    """CPU seconds of one eth_call on each node: `count` pairs of calls, first the one, then the other node first; what
    the node uses when idle is taken off. Results must be equal."""
    nodes = (ours, theirs)
    clients = [Client(node.urls[0]) for node in nodes]
    idle = idle_rates(nodes, idle_seconds)
    rows = []
    for (name, _), call in zip(CALLS, calls):
        request = {**call, "gas": hex(CALL_GAS)}
        answers = [client.call("eth_call", request, "latest") for client in clients]  # warms both
        if answers[0] != answers[1]:
            raise Failed(f"{name}: the nodes answer {answers[0]} and {answers[1]}")
        gas = int(clients[1].call("eth_estimateGas", request), 16)
        samples = ([], [])
        for pair in range(count):
            for which in ((0, 1), (1, 0))[pair % 2]:
                wall, cpu = time.monotonic(), cpu_s(nodes[which].pids[0])
                answer = clients[which].call("eth_call", request, "latest")
                time.sleep(SETTLE_S)
                used = cpu_s(nodes[which].pids[0]) - cpu - idle[which] * (time.monotonic() - wall)
                samples[which].append(max(used, 0))
                if answer != answers[0]:
                    raise Failed(f"{name}: {nodes[which].name} answers {answer} after {answers[0]}")
        rows.append({"name": name, "gas": gas, "bonusS": samples[0], "anvilS": samples[1]})
    return {"idle": {"bonus": idle[0], "anvil": idle[1]}, "rows": rows}


def anvil_blocks(node, setup, blocks):
    """CPU seconds of evm_mine, once for each list of transactions that waits in the pool. The node mines only when asked."""
    client = Client(node.urls[0])
    if setup:
        client.batches("eth_sendRawTransaction", [[raw] for raw in setup])
        client.call("evm_mine")
    out = []
    for block in blocks:
        client.batches("eth_sendRawTransaction", [[raw] for raw in block])
        time.sleep(0.3)
        before = cpu_s(node.pids[0])
        client.call("evm_mine")
        time.sleep(0.2)
        used = cpu_s(node.pids[0]) - before
        mined = client.call("eth_getBlockByNumber", "latest", False)
        if len(mined["transactions"]) != len(block):
            raise Failed(f"anvil's block has {len(mined['transactions'])} of {len(block)} transactions")
        out.append({"cpuS": used, "gas": int(mined["gasUsed"], 16)})
    return out


def in_threads(jobs):
    """Runs them all at once; the first exception of one is raised here when all have ended."""
    failures = []

    def guarded(job):
        try:
            job()
        except BaseException as error:  # noqa: BLE001: handed on below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


SENDING_CONNECTIONS = 4


def end_to_end(node, transactions, senders, timeout=180):
    """From the first eth_sendRawTransaction, in batches of 100 over four connections, until all are in blocks. Transaction
    i goes to connection i mod 4, and that one to node i mod (number of nodes): one sender's transactions stay together."""
    clients = [Client(node.urls[i % len(node.urls)]) for i in range(SENDING_CONNECTIONS)]
    watcher = Client(node.urls[0])
    first = watcher.height()
    before = [cpu_s(pid) for pid in node.pids]
    start = time.monotonic()

    def send(which):
        clients[which].batches("eth_sendRawTransaction", [[raw] for raw in transactions[which::SENDING_CONNECTIONS]])

    in_threads([lambda which=which: send(which) for which in range(SENDING_CONNECTIONS)])
    accepted = time.monotonic() - start
    seen, mined, per_block = first, 0, []
    while mined < len(transactions):
        if time.monotonic() - start > timeout:
            raise Failed(f"{node.name}: {mined} of {len(transactions)} transactions mined in {timeout} s")
        for number in range(seen + 1, (head := watcher.height()) + 1):
            per_block.append(int(watcher.call("eth_getBlockTransactionCountByNumber", hex(number)), 16))
            mined += per_block[-1]
        seen = max(seen, head)
        time.sleep(0.02)
    wall = time.monotonic() - start
    cpu = [cpu_s(pid) - used for pid, used in zip(node.pids, before)]
    nonces = watcher.batches("eth_getTransactionCount", [[sender, "latest"] for sender in senders])
    if sum(int(nonce, 16) for nonce in nonces) != len(transactions):
        raise Failed(f"{node.name}: the senders' nonces do not add up to {len(transactions)}")
    return {"transactions": len(transactions), "wallS": wall, "acceptedS": accepted, "cpuS": cpu, "blocks": [n for n in per_block if n]}


def constant_rate(node, transactions, rate):
    """Seconds from sending each transaction to its receipt on the node that it was sent to, at `rate` a second."""
    hashes, sent, seen = {}, {}, {}
    urls = node.urls
    first = [Client(url).height() for url in urls]
    before = [cpu_s(pid) for pid in node.pids]
    start = time.monotonic() + 0.1
    deadline = start + len(transactions) / rate + 30
    done = threading.Event()

    def send(which):
        client = Client(urls[which % len(urls)])
        for i in range(which, len(transactions), SENDING_CONNECTIONS):
            time.sleep(max(0, start + i / rate - time.monotonic()))
            sent[i] = time.monotonic()
            hashes[i] = client.call("eth_sendRawTransaction", transactions[i])

    def watch(which):
        client, number = Client(urls[which]), first[which]
        while not done.is_set() and time.monotonic() < deadline:
            head = client.height()
            while number < head:
                number += 1
                receipts = client.call("eth_getBlockReceipts", hex(number))
                now = time.monotonic()
                for receipt in receipts:
                    seen[which, receipt["transactionHash"]] = now
            time.sleep(0.01)

    def send_all():
        try:
            in_threads([lambda which=which: send(which) for which in range(SENDING_CONNECTIONS)])
            places = [(i % SENDING_CONNECTIONS % len(urls), hashes[i]) for i in range(len(transactions))]
            while time.monotonic() < deadline and not all(place in seen for place in places):
                time.sleep(0.05)
        finally:
            done.set()

    in_threads([send_all] + [lambda which=which: watch(which) for which in range(len(urls))])
    cpu = [cpu_s(pid) - used for pid, used in zip(node.pids, before)]
    late = [sent[i] - (start + i / rate) for i in range(len(transactions))]
    latencies = []
    for i in range(len(transactions)):
        place = (i % SENDING_CONNECTIONS % len(urls), hashes[i])
        if place not in seen:
            raise Failed(f"{node.name}: no receipt of {hashes[i]} at its node")
        latencies.append(seen[place] - sent[i])
    return {"rate": rate, "transactions": len(transactions), "latencyS": sorted(latencies), "cpuS": cpu, "sentLateS": max(late)}


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def median(values):
    return statistics.median(values)
