"""One run in plain PyTorch, as popular repositories write it: `yardstick.py` compares with it. A process per run.

python benchmarks/speed/plain.py NETWORK ARRAYS --epochs 8 --batch-size 64 --workers 2 --seed 0 --out run.pt
"""

import argparse
import json
import time

import numpy as np
import torch
import torchvision.transforms as T
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


class LeNet(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5, padding=0 if side > 10 else 2)
        left = (side // 2 - 4) // 2 if side > 10 else side // 4
        self.fc1, self.fc2, self.fc3 = nn.Linear(16 * left**2, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.stride, self.more = stride, cout - cin

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))
        return F.relu(out + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        plan = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
        self.blocks = nn.Sequential(*[Block(*block) for block in plan])
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.linear(F.avg_pool2d(x, x.size(3)).view(x.size(0), -1))


class Images(Dataset):
    def __init__(self, images, labels, transform):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def make_network(name, side):
    return ResNet20() if name == "resnet20" else LeNet(side)


def loaders(arguments, arrays):
    channels = 3 if arrays["train_images"].ndim == 4 else 1
    shades = arrays["train_images"].reshape(-1, channels) / 255
    normalise = T.Normalize(shades.mean(0).tolist(), shades.std(0).tolist())
    augment = [T.RandomCrop(32, padding=4), T.RandomHorizontalFlip()] if arguments.augment else []
    plain = T.Compose([T.ToTensor(), normalise])
    train = Images(arrays["train_images"], arrays["train_labels"], T.Compose([*augment, T.ToTensor(), normalise]))
    options = {"batch_size": arguments.batch_size, "num_workers": arguments.workers}
    test = Images(arrays["test_images"], arrays["test_labels"], plain)
    return DataLoader(train, shuffle=True, **options), DataLoader(test, **options)


def train_epoch(network, loader, optimizer, criterion):
    """Return images a second from the first batch on, without the start of the workers."""
    network.train()
    train_loss, correct, total, start = 0.0, 0, 0, 0.0
    for inputs, targets in loader:
        start = start or time.perf_counter()
        optimizer.zero_grad()
        outputs = network(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
        _, predicted = outputs.max(1)
        total += targets.size(0)
        correct += predicted.eq(targets).sum().item()
    rate = total / (time.perf_counter() - start)
    return {"train_loss": train_loss / len(loader), "train_accuracy": correct / total}, rate


def evaluate(network, loader):
    network.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for inputs, targets in loader:
            correct += network(inputs).argmax(1).eq(targets).sum().item()
            total += len(targets)
    return correct / max(1, total)


def main(arguments):
    torch.manual_seed(arguments.seed)
    arrays = np.load(arguments.arrays)
    train, test = loaders(arguments, arrays)
    network = make_network(arguments.network, arrays["train_images"].shape[1])
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=arguments.lr, momentum=0.9, weight_decay=arguments.weight_decay
    )
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=arguments.epochs)
    rates, rows = [], []
    for _ in range(arguments.epochs):
        row, rate = train_epoch(network, train, optimizer, criterion)
        scheduler.step()
        rates.append(rate)
        rows.append(row | ({"test_accuracy": evaluate(network, test)} if arguments.out else {}))
    if arguments.out:
        torch.save({"network": network.state_dict(), "rows": rows}, arguments.out)
    print(json.dumps({"images_per_second": rates[-1], "threads": torch.get_num_threads(), **rows[-1]}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=["lenet", "resnet20"])
    parser.add_argument("arrays", help=".npz with train_images (uint8, channels last), train_labels, test_images …")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--augment", action="store_true", help="crop and flip")
    parser.add_argument("--out", default="", help="where the weights go; without it, nothing is evaluated")
    main(parser.parse_args())
