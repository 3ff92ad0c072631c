"""profile.proto as far as tests and stress/profile ask: its fields, and the
types, values and labels of samples.
"""


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        shift += 7
        at += 1
        if byte < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        yield key >> 3, value


def numbers(data):
    out, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        out.append(value)
    return out


class Profile:
    def __init__(self, data):
        parts = list(fields(data))
        strings = [v.decode() for k, v in parts if k == 6]
        self.types = [strings[dict(fields(v))[1]] for k, v in parts if k == 1]
        self.mappings = {dict(fields(v))[1]: strings[dict(fields(v))[5]]
                         for k, v in parts if k == 3}
        self.locations = {dict(fields(v))[1]: dict(fields(v))[2]
                          for k, v in parts if k == 4}
        self.functions = {strings[dict(fields(v))[2]]
                          for k, v in parts if k == 5}
        self.samples = []  # (locations, {type: value}, {label: value})
        for key, sample in parts:
            if key != 2:
                continue
            one = dict(fields(sample))
            labels = {}
            for k, label in fields(sample):
                if k == 3:
                    label = dict(fields(label))
                    labels[strings[label[1]]] = (
                        strings[label[2]] if 2 in label else label[3])
            self.samples.append((numbers(one.get(1, b"")), dict(
                zip(self.types, numbers(one[2]))), labels))

    def sums(self):
        return {name: sum(values[name] for _, values, _ in self.samples)
                for name in self.types}


def read(data):
    return Profile(data)
