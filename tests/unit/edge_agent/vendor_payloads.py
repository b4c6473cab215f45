"""Payloads as devices sent them, or as their makers document them; values are examples.

Impinj: IoT device interface 1.7. Zebra fixed: events captured from FXR60 and FXR90 readers (SIMPLE,
INVENTORY, CONVEYOR, BLE_DATA, gpo) and an FX9600's heartbeat. Zebra handheld: the maker's MQTT API
1.1. Minew: JSON-LONG of a G1. Ruuvi: the gateway's documentation.
"""

IMPINJ_TAG = (
    b'{"eventType":"tagInventory","timestamp":"2026-04-02T12:00:00.500000000Z","tagInventoryEvent":'
    b'{"epc":"MDZEM0ANHsAAABJn","tid":"4oARkSAAUZtAIAM0","antennaPort":2,"transmitPowerCdbm":3000,'
    b'"peakRssiCdbm":-5234,"frequency":866300}}'
)
IMPINJ_TAG_WITH_ALL = (
    b'{"hostname":"impinj-14-b1-2c","eventType":"tagInventory","timestamp":"2026-04-02T12:00:00Z",'
    b'"tagInventoryEvent":{"epc":"MDZEM0ANHsAAABJn","epcHex":"30364433400D1EC000001267",'
    b'"tidHex":"E2801191","antennaPort":1,"antennaName":"Dock 1","transmitPowerCdbm":3000,'
    b'"peakRssiCdbm":-5234,"frequency":866300,"pc":"NAA=","lastSeenTime":"2026-04-02T12:00:01Z",'
    b'"phaseAngle":32.5,"tagMemoryData":[{"bank":"user"}]}}'
)
IMPINJ_OVERFLOW = (
    b'{"eventType":"overflow","timestamp":"2026-04-02T12:00:00Z","overflowEvent":'
    b'{"eventsPurged":120}}'
)
ZEBRA_SIMPLE = (
    b'{"data":{"eventNum":5036,"format":"epc","idHex":"e2806894000040017790e471"},'
    b'"timestamp":"2026-09-07T12:50:36.194+0000","type":"SIMPLE"}'
)
ZEBRA_INVENTORY = (
    b'{"data":{"antenna":1,"eventNum":5059,"format":"epc","idHex":"e2806894000040017790e471",'
    b'"peakRssi":-37,"reads":3},"timestamp":"2026-09-07T12:50:55.513+0000","type":"INVENTORY"}'
)
ZEBRA_CONVEYOR = (
    b'{"data":{"antenna":1,"eventNum":5113,"format":"epc","idHex":"e2806894000040017790e471"},'
    b'"timestamp":"2026-09-07T12:51:29.949+0000","type":"CONVEYOR"}'
)
ZEBRA_GPI = (
    b'{"component":"RG","data":{"pin":1,"state":"LOW"},"eventNum":9,'
    b'"timestamp":"2026-09-07T12:21:53.635+0000","type":"gpi"}'
)
ZEBRA_GPO = (
    b'{"component":"RG","data":{"pin":1,"state":"HIGH"},"eventNum":9,'
    b'"timestamp":"2026-09-07T12:21:53.635+0000","type":"gpo"}'
)
ZEBRA_ERROR = (
    b'{"component":"RC","data":{"message":"antenna 2 mismatch"},"eventNum":10,'
    b'"timestamp":"2026-09-07T12:21:53.635+0000","type":"error"}'
)
ZEBRA_HEARTBEAT = (
    b'{"component":"RG","data":{"radio_control":{"antennas":{"1":"connected","2":"disconnected",'
    b'"3":"disconnected","4":"connected"},"cpu":0.1,"numDataMessagesTxed":3062,"numErrors":7,'
    b'"numRadioPacketsRxed":186903,"numTagReads":3062,"numTagReadsPerAntenna":{"1":0,"4":3062},'
    b'"numWarnings":0,"radioActivity":"inactive","radioConnection":"connected","ram":2.2,'
    b'"status":"running","uptime":"05:19:28"},"reader_gateway":{"cpu":0.4,"dataPathStatistics":'
    b'[{"numDataMessagesDropped":5,"numDataMessagesRetained":0,"numDataMessagesTxed":3062}],'
    b'"numErrors":7,"ram":2.9,"uptime":"5:19:29"},"system":{"GPI":{"1":"HIGH","2":"LOW"},'
    b'"GPO":{"1":"LOW"},"cpu":{"system":7,"user":2},"flash":null,"ntp":{"offset":-1,"reach":377},'
    b'"powerSource":"DC","ram":{"free":108285952,"total":252334080,"used":144048128},'
    b'"systemtime":"2023-03-01T13:57:20.135+0000","temperature":{"ambient":23,"pa":21},'
    b'"uptime":"5:21:9"},"userapps":[]},"eventNum":328,"timestamp":"2023-03-01T13:57:29.126+0000",'
    b'"type":"heartbeat"}'
)
ZEBRA_BLE = (
    b'{"data":{"Adapter":"/org/bluez/hci0","Address":"CF:C7:E6:45:DE:F7","AddressType":"random",'
    b'"RSSI":-66,"UUIDs":["0000feaa-0000-1000-8000-00805f9b34fb"],"beaconType":"EDDYSTONE_TLM",'
    b'"eddystone":{"advPduCount":27432,"batteryVoltage":3300,"frameType":"TLM","temperature":-5.0,'
    b'"timeSincePowerOn":918381,"version":0}},"eventNum":1900,'
    b'"timestamp":"2026-09-07T12:53:07.484+00:00","type":"BLE_DATA"}'
)
ZEBRA_IBEACON = (
    b'{"data":{"Address":"CF:C7:E6:45:DE:F8","RSSI":-70,"beaconType":"IBEACON","iBeacon":'
    b'{"uuid":"e2c56db5-dffb-48d2-b060-d0f5a71096e0","major":1,"minor":2,"txPower":-59}},'
    b'"timestamp":"2026-09-07T12:53:07.484+00:00","type":"BLE_DATA"}'
)
HANDHELD_DATA = (
    b'{"type":"BALANCED_PERFORMANCE","timestamp":"2019-08-24T14:15:22Z","data":{"tagData":[{'
    b'"EPCid":"30364433400D1EC000001267","EPC":"30364433400D1EC000001267","TID":"E2003412013BFD00",'
    b'"channel":911.75,"eventNum":1,"peakRssi":-39,"phase":-1.5,"seenCount":4,'
    b'"firstSeenTime":1566656120000,"lastSeenTime":1566656121500,'
    b'"accessResults":["READ-EPC-SUCCESS"]}],"barcodeData":[{"symbology":"CODE_128",'
    b'"decodedBarcode":"0109506000134352214711"}]}}'
)
HANDHELD_HEARTBEAT = (
    b'{"eventName":"heartbeat","timestamp":"2019-08-24T14:15:22Z","eventNumber":120,"data":'
    b'{"inventoryStatus":{"rfidStatus":"INPROGRESS","tagCount":45,"scanCount":128},'
    b'"batteryAlert":{"status":"HIGH","stateOfHealth":"FULL","chargePercentage":85}}}'
)
HANDHELD_CONNECTED = (
    b'{"connectionState":"CONNECTED","timestamp":"12:17:56","deviceModel":"RFD40",'
    b'"deviceSerialNo":"RFD40-24190525100354","apiVersion":"1.0","mqttVersion":"3.1.1"}'
)
HANDHELD_DISCONNECTED = (
    b'{"connectionState":"DISCONNECTED","deviceModel":"RFD40",'
    b'"deviceSerialNo":"RFD40-24190525100354","apiVersion":1.2,"mqttVersion":3.0999999}'
)
HANDHELD_ALERT = (
    b'{"type":"ALERT","timestamp":"2026-04-29T12:33:34.279Z","state":"ONESHOT","id":"BATTERY",'
    b'"priority":"LOW","alertDetails":{"batteryAlert":{"status":"CHARGING","chargePercentage":9}}}'
)
MINEW = (
    b'[{"timestamp":"2026-02-09T00:13:53.668Z","type":"Gateway","mac":"AC233FC03641",'
    b'"gatewayFree":89,"gatewayLoad":0.029999999999999999},'
    b'{"timestamp":"2026-02-09T00:13:53.667Z","type":"iBeacon","mac":"C3000025EF6A","bleName":"",'
    b'"ibeaconUuid":"E2C56DB5DFFB48D2B060D0F5A71096E0","ibeaconMajor":0,"ibeaconMinor":7,'
    b'"rssi":-65,"ibeaconTxPower":-59,"battery":0},'
    b'{"timestamp":"2026-02-09T00:13:53.700Z","type":"Unknown","mac":"AC233F264E5B","bleName":"",'
    b'"rssi":-71,"rawData":"0201061AFF4C000215E2C56DB5DFFB48D2B060D0F5A71096E000000008C5"}]'
)
MINEW_RAW = (
    b'[{"gateway":"AC233FC03641","locator":"x"},{"mac":"AC233F264E5B","no":37,"rssi":-60,'
    b'"timestamp":"2026-02-09T00:13:53.700Z"}]'
)
RUUVI = (
    b'{"gw_mac":"C8:25:2D:8E:9C:2C","rssi":-61,"aoa":[],"gwts":"1667480130","ts":"1667480128",'
    b'"data":"0201061AFF4C000215E2C56DB5DFFB48D2B060D0F5A71096E000000009C5","coords":""}'
)
RUUVI_HTTP = (
    b'{"data":{"coordinates":"","timestamp":"1653633988","nonce":"2636366621",'
    b'"gw_mac":"C8:25:2D:8E:9C:2C","tags":{"F4:1F:0C:28:CB:D6":{"rssi":-61,'
    b'"timestamp":"1653633986","data":"020106"}}}}'
)
ALL = {
    "impinj": (IMPINJ_TAG, IMPINJ_TAG_WITH_ALL, IMPINJ_OVERFLOW),
    "zebra": (
        *(ZEBRA_SIMPLE, ZEBRA_INVENTORY, ZEBRA_CONVEYOR, ZEBRA_GPI, ZEBRA_GPO, ZEBRA_ERROR),
        ZEBRA_HEARTBEAT,
    ),
    "zebra_handheld": (
        *(HANDHELD_DATA, HANDHELD_HEARTBEAT, HANDHELD_CONNECTED, HANDHELD_DISCONNECTED),
        HANDHELD_ALERT,
    ),
    "ble_gateway": (MINEW, MINEW_RAW, RUUVI, RUUVI_HTTP, ZEBRA_BLE, ZEBRA_IBEACON),
}
