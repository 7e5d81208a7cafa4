import json
import os

from brevo import Brevo
from brevo.core.api_error import ApiError

client = Brevo(api_key=os.environ["KEY"], base_url=os.environ["BASE"] + "/v3")
first = {
    "id": "14",
    "createdAt": "2021-07-29T20:59:23.383Z",
    "updatedAt": "2021-07-30T10:59:23.383Z",
    "status": "completed",
    "amount": 308.42,
    "products": [{"productId": "P1", "price": 99.99}],
}
told = {}
told["single"] = client.ecommerce.create_order(
    **{
        "id": first["id"],
        "created_at": first["createdAt"],
        "updated_at": first["updatedAt"],
        "status": "completed",
        "amount": 308.42,
        "products": [{"productId": "P1", "price": 99.99}],
    }
)
orders = [dict(first, id=f"b{number}") for number in range(1000)]
answer = client.ecommerce.create_batch_order(orders=orders, historical=True)
told["batch_id"] = answer.batch_id
told["count"] = answer.count
listing = client.ecommerce.get_orders(limit=2)
told["listed"] = listing["count"] if isinstance(listing, dict) else listing.count
told["shown"] = len(listing["orders"] if isinstance(listing, dict) else listing.orders)
try:
    client.ecommerce.create_batch_order(orders=[dict(first, amount="x")])
except ApiError as error:
    told["refused"] = [error.status_code, error.body["code"], error.body["message"]]
try:
    Brevo(api_key="wrong", base_url=os.environ["BASE"] + "/v3").ecommerce.get_orders()
except ApiError as error:
    told["unauthorized"] = [error.status_code, error.body["code"]]
client.ecommerce.activate_the_e_commerce_app()
print(json.dumps(told))
