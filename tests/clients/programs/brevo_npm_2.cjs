const { EcommerceApi, EcommerceApiApiKeys } = require("@getbrevo/brevo");

const api = new EcommerceApi(process.env.BASE + "/v3");
api.setApiKey(EcommerceApiApiKeys.apiKey, process.env.KEY);
const order = (id) => ({
  id, amount: 308.42, createdAt: "2021-07-29T20:59:23.383Z", updatedAt: "2021-07-30T10:59:23.383Z",
  status: "completed", products: [{ price: 99.99, productId: "P1", quantity: 2 }],
  identifiers: { emailId: "old-node@example.com" },
});

async function main() {
  const told = {};
  told.single = (await api.createOrder(order("m1"))).response.statusCode;
  const batch = await api.createBatchOrder({ orders: [order("m2"), order("m3")], historical: false });
  told.batch = [batch.response.statusCode, batch.body.batchId, batch.body.count];
  const listed = await api.getOrders(2, 0, "desc", "2021-01-01T00:00:00.000Z");
  told.listed = listed.body.count;
  told.contact = listed.body.orders[0].contactId;
  console.log(JSON.stringify(told));
}
main().catch((error) => { console.error(error); process.exit(1); });
