"""brevo-python 1.2.0 and sib-api-v3-sdk 7.6.0 have the same shape; the package is the first argument."""

import importlib
import json
import os
import sys

sdk = importlib.import_module(sys.argv[1])
configuration = sdk.Configuration()
configuration.host = os.environ["BASE"] + "/v3"
configuration.api_key["api-key"] = os.environ["KEY"]
api = sdk.EcommerceApi(sdk.ApiClient(configuration))
told = {}


def order(number):
    product = sdk.OrderProducts(product_id="P1", quantity=10, price=99.99)
    return sdk.Order(
        id=number,
        created_at="2021-07-29T20:59:23.383Z",
        updated_at="2021-07-30T10:59:23.383Z",
        status="completed",
        amount=308.42,
        products=[product],
        **extra,
    )


extra = {"email": "old@example.com"} if sys.argv[1] == "sib_api_v3_sdk" else {}
_, told["single"], _ = api.create_order_with_http_info(order("s1"))
_, told["batch"], _ = api.create_batch_order_with_http_info(sdk.OrderBatch(orders=[order("s2"), order("s3")]))
told["batch_id"] = json.loads(api.api_client.last_response.data)["batchId"]
if hasattr(api, "get_orders"):
    told["listed"] = api.get_orders(limit=2).count
try:
    api.create_order(order(""))
except importlib.import_module(sys.argv[1] + ".rest").ApiException as error:
    told["refused"] = [error.status, json.loads(error.body)["code"]]
print(json.dumps(told))
