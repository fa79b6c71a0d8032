/** For `npm run migrations`: writes the next migration from the schema. Nothing at run time reads it. */
import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: "./src/adapters/d1/schema.ts",
  out: "./migrations",
});
