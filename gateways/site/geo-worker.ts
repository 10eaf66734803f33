import { parentPort, workerData } from "node:worker_threads";
import { type GeoWork, runGeoWork } from "./geo-refresh.ts";

parentPort?.postMessage(runGeoWork(workerData as GeoWork));
