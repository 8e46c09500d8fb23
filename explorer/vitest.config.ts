import { defineConfig } from "vitest/config";

export default defineConfig({ test: { testTimeout: 120_000, environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] } });
