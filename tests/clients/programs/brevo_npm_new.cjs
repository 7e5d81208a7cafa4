const { BrevoClient } = require("@getbrevo/brevo");

const client = new BrevoClient({ apiKey: process.env.KEY, baseUrl: process.env.BASE + "/v3" });
const order = (id) => ({
  id, amount: 308.42, createdAt: "2021-07-29T20:59:23.383Z", updatedAt: "2021-07-30T10:59:23.383Z",
  status: "completed", products: [{ price: 99.99, productId: "P1" }],
});

async function main() {
  const told = {};
  await client.ecommerce.createOrder(order("n1"));
  const batch = await client.ecommerce.createBatchOrder({ orders: [order("n2"), order("n3")] });
  told.batch = batch;
  told.listed = (await client.ecommerce.getOrders({ limit: 2 })).count;
  await client.ecommerce.activateTheECommerceApp();
  try {
    await client.ecommerce.createOrder({ ...order("n4"), status: true });
  } catch (error) {
    told.refused = [error.statusCode, error.body.code];
  }
  console.log(JSON.stringify(told));
}
main().catch((error) => { console.error(error); process.exit(1); });
