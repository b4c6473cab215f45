"""Messages of devices that publish over MQTT by themselves, made as their makers make them."""
