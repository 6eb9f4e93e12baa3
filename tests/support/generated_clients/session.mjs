// @ts-check
// A session with the client that openapi-typescript and openapi-fetch make; prints what it saw as JSON.
// `node session.mjs URL EMAIL PASSWORD`. The test also checks this file against the generated types.
import createClient from "openapi-fetch";

const Prefer = "money=string";
const POLLS = 300;
const POLL_MILLISECONDS = 200;
const [baseUrl, email, password] = /** @type {string[]} */ (/** @type {any} */ (globalThis).process.argv.slice(2));

/** @type {import("openapi-fetch").Client<import("schema").paths>} */
const client = createClient({
  baseUrl,
  headers: { Accept: "application/json" },
  querySerializer: { object: { style: "form", explode: true } },
});

/**
 * Return the body of a success, or throw the problem.
 * @template T
 * @param {{ data?: T, error?: unknown }} response
 * @returns {T}
 */
function body({ data, error }) {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const login = body(await client.POST("/login", { body: { email, password, token: true } }));
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${login.access_token}`);
  },
});

const header = { Prefer };
const user = body(await client.GET("/api/v1/users/me", { params: { header } }));
const charged = body(
  await client.POST("/api/v1/process_operation", {
    params: { header },
    body: { type: "subtraction", arguments: [3, 2] },
  }),
);
const accepted = body(
  await client.POST("/api/v1/process_csv", {
    params: { header },
    body: { file: new Blob(['operation,arguments\naddition,"[1, 2]"\n'], { type: "text/csv" }) },
    bodySerializer({ file }) {
      const form = new FormData();
      form.set("file", file, "operations.csv");
      return form;
    },
  }),
);

const task_id = accepted.id;
let task = body(await client.GET("/api/v1/tasks/{task_id}", { params: { path: { task_id }, header } }));
for (let poll = 0; task.results === null && poll < POLLS; poll++) {
  await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  task = body(await client.GET("/api/v1/tasks/{task_id}", { params: { path: { task_id }, header } }));
}
/** @type {import("schema").components["schemas"]["TaskStatus"]} */
const completed = "completed";
if (task.status !== completed) throw new Error(`The task is ${task.status}.`);
const link = body(await client.GET("/api/v1/tasks/{task_id}/results", { params: { path: { task_id } } }));
const page = body(
  await client.GET("/api/v1/records", {
    params: {
      header,
      query: { fields: "amount", filters: { amount__gte: "1", operation__in: "substraction" } },
    },
  }),
);

console.log(
  JSON.stringify({
    balance: user.balance,
    amount: charged.amount,
    left: charged.user_balance,
    result: charged.result,
    spent: task.spent,
    filtered: page.records.map((record) => record.amount),
    csv: await (await fetch(link.url)).text(),
  }),
);
