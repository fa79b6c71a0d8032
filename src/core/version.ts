/** The program's version, as `/healthz` tells it; the test compares it with package.json. */
export const VERSION = "0.1.0";
