// The published Node example's steps: token, availability, hold, confirm, reschedule, cancel.
// Only the host, the ids and the dates come from outside.
import axios from "axios";

const env = process.env;
const base = `${env.ZIMUN_HOST}/api/v1`;

const token = await axios.post(
  `${env.ZIMUN_HOST}/oauth/token`,
  new URLSearchParams({ grant_type: "client_credentials" }),
  { auth: { username: env.ZIMUN_CLIENT_ID, password: env.ZIMUN_CLIENT_SECRET } },
);
const headers = { Authorization: `Bearer ${token.data.access_token}` };
const once = (key) => ({ headers: { ...headers, "Idempotency-Key": key } });

await axios.get(`${base}/availability`, {
  headers,
  params: { service_id: env.ZIMUN_SERVICE, days_ahead: 7 },
});

const hold = await axios.post(
  `${base}/appointments/hold`,
  {
    organization_id: env.ZIMUN_ORGANIZATION,
    service_id: env.ZIMUN_SERVICE,
    appointment_time: env.ZIMUN_TIME,
    appointment_duration: 45,
  },
  once("node-hold"),
);

const confirmed = await axios.post(
  `${base}/appointments/confirm`,
  {
    hold_id: hold.data.hold_id,
    contact_name: "Ada Example",
    contact_email: "ada@example.com",
  },
  once("node-confirm"),
);

// The later revision's way: POST, and the identifier called booking_id.
const booking_id = confirmed.data.booking_id;
await axios.post(
  `${base}/appointments/reschedule`,
  { booking_id, appointment_time: env.ZIMUN_NEW_TIME },
  once("node-reschedule"),
);

const cancelled = await axios.post(
  `${base}/appointments/cancel`,
  { booking_id },
  once("node-cancel"),
);
console.log(cancelled.data.booking_id, cancelled.data.status);
