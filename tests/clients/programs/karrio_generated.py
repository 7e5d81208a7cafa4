"""Drives a client that was generated from our own description of the Karrio contract."""

import json
import os
import sys

sys.path.insert(0, sys.argv[1])
from generated.api.batches import create_order_batch, list_batch_operations, retrieve_batch_operation
from generated.api.orders import cancel_order, create_order, list_orders, retrieve_order, update_order
from generated.client import AuthenticatedClient
from generated.models import BatchOrderData, OrderData, OrderUpdateData

client = AuthenticatedClient(base_url=os.environ["BASE"], token=os.environ["KEY"], prefix="Token")


def order(order_id, **changes):
    return {
        "order_id": order_id,
        "shipping_to": {"country_code": "CH", "city": "Basel", "email": "a@example.com"},
        "line_items": [{"weight": 1.5, "weight_unit": "KG", "title": "Kettle"}],
        **changes,
    }


told = {}
body = BatchOrderData.from_dict({"orders": [order("G-1"), order("G-2", line_items=[]), order("G-3")]})
operation = create_order_batch.sync(client=client, body=body)
told["status"] = operation.status.value
told["resources"] = [resource.status.value for resource in operation.resources]
told["errors"] = [
    None if not resource.errors else sorted(resource.errors.to_dict()) for resource in operation.resources
]
told["polled"] = retrieve_batch_operation.sync(operation.id, client=client).to_dict() == operation.to_dict()
told["operations"] = list_batch_operations.sync(client=client).count
shown = retrieve_order.sync(operation.resources[0].id, client=client)
told["shown"] = [shown.order_id, shown.line_items[0].weight]
single = create_order.sync_detailed(client=client, body=OrderData.from_dict(order("G-4")))
told["single"] = int(single.status_code)
told["twice"] = int(create_order.sync_detailed(client=client, body=OrderData.from_dict(order("G-4"))).status_code)
changed = update_order.sync(single.parsed.id, client=client, body=OrderUpdateData.from_dict({"metadata": {"a": "b"}}))
told["metadata"] = changed.metadata.to_dict()
told["cancelled"] = cancel_order.sync(single.parsed.id, client=client).status.value
told["listed"] = list_orders.sync(client=client).count
print(json.dumps(told))
