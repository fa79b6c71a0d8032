/** What flows load on first use is there from the start: a clock that a test moves does not wait for a file. */
import "../../src/flows/begin-fan-out.ts";
import "../../src/flows/delete-tenant.ts";
import "../../src/flows/deliver-elsewhere.ts";
